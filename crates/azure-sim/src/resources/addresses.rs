//! Private addresses of the stamp's subnet, assigned upwards and reused when free.

use crate::{
    error::CloudError,
    store::{Change, StoreQuery as _},
};

/// The subnet's network, of which Azure reserves the first four addresses.
const NETWORK: u32 = 0x0A14_0000;
const FIRST: u64 = 4;
const USABLE: u64 = 65_530;

/// Takes this many free addresses of a subnet for an owner.
pub(crate) fn allocate(
    change: &mut Change<'_>,
    subnet: &str,
    owner: &str,
    count: usize,
) -> Result<Vec<String>, CloudError> {
    let mut taken = Vec::with_capacity(count);
    // As many attempts as there are addresses: a full subnet then gives fewer.
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

/// Releases an address.
pub(crate) fn release(change: &mut Change<'_>, subnet: &str, address: &str) -> Result<(), CloudError> {
    change.free_name(&key(subnet, address))
}

fn key(subnet: &str, address: &str) -> String {
    format!("address@{}/{address}", subnet.to_lowercase())
}
