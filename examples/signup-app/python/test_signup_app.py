"""What is handed to Service Bus, held against the SDK's own message. `python3 -m unittest`, with requirements.txt."""

import json
import unittest

from signup_app import new_signup, queue_message


class QueueMessage(unittest.TestCase):
    def test_a_request_is_a_message_of_its_tenants_session_known_by_its_id(self):
        request = new_signup("order-1001", "northwind", "Northwind", "dedicated")
        message = queue_message(request)
        self.assertEqual((message.session_id, message.message_id), ("northwind", "order-1001"))
        self.assertEqual(json.loads(b"".join(message.body)), request)
        # As it goes over the wire.
        properties = message.raw_amqp_message.properties
        self.assertEqual((properties.group_id, properties.message_id), ("northwind", "order-1001"))
        self.assertEqual(properties.content_type, "application/json")


if __name__ == "__main__":
    unittest.main()
