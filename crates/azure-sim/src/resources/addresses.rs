//! Assigns private IPv4 addresses of the stamp's subnet, in ascending order. After the last address, released ones are
//! assigned again.

use crate::{
    error::CloudError,
    store::{Change, StoreQuery as _},
};

/// The address of the subnet, 10.20.0.0/16. Azure reserves its first four addresses.
const NETWORK: u32 = 0x0A14_0000;
const FIRST: u64 = 4;
const USABLE: u64 = 65_530;

/// Reserves `count` free addresses of a subnet for the resource with the id `owner`. Returns fewer if the subnet is
/// full.
pub(crate) fn allocate(
    change: &mut Change<'_>,
    subnet: &str,
    owner: &str,
    count: usize,
) -> Result<Vec<String>, CloudError> {
    let mut taken = Vec::with_capacity(count);
    // At most as many attempts as there are addresses, so that the loop ends if the subnet is full.
    for _ in 0..USABLE {
        if taken.len() == count {
            break;
        }
        let serial = change.serial(&format!("addresses@{}", subnet.to_lowercase()))?;
        let offset = u32::try_from((serial - 1) % USABLE + FIRST).unwrap_or_default();
        let address = std::net::Ipv4Addr::from(NETWORK + offset).to_string();
        let key = key(subnet, &address);
        if change.named(&key)?.is_none() {
            change.take_name(&key, owner)?;
            taken.push(address);
        }
    }
    Ok(taken)
}

/// Releases an address of a subnet.
pub(crate) fn release(change: &mut Change<'_>, subnet: &str, address: &str) -> Result<(), CloudError> {
    change.free_name(&key(subnet, address))
}

fn key(subnet: &str, address: &str) -> String {
    format!("address@{}/{address}", subnet.to_lowercase())
}
