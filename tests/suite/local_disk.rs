//! The local state on a failing disk: every acknowledged save is there afterwards, and complete. A store whose disk
//! has failed accepts no more saves.

use std::{
    collections::BTreeMap,
    fs, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_sim::{
    db::Db,
    pairing::{Held, Mark},
};
use jiff::Timestamp;
use redb::StorageBackend;
use tenantry::{
    local::{
        clock::SteadyClock,
        folder::{Folder, FolderError},
        pair::{Contents, Marks, Misfit},
        state::LocalState,
    },
    ports::{Clock as _, StateStore as _, StoreError},
};
use tenantry_core::tenant::Tenant;

use crate::testkit::{self, edited};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DiskFault {
    /// The change and all later ones fail.
    Full,
    /// One change fails; the next ones succeed.
    Once,
    /// Half of a write is done, and all later changes fail.
    Torn,
}

/// A disk in memory. A power loss may lose everything that was written after the last synchronisation.
#[derive(Debug, Default)]
struct Platter {
    live: Vec<u8>,
    durable: Vec<u8>,
    changes: usize,
    fault: Option<(usize, DiskFault)>,
}

impl Platter {
    /// Counts a change of the disk, and returns the fault that this change gets.
    fn next_fault(&mut self) -> Option<DiskFault> {
        self.changes += 1;
        let (at, fault) = self.fault?;
        let now = if fault == DiskFault::Once { self.changes == at } else { self.changes >= at };
        now.then_some(fault)
    }
}

#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Platter { durable: bytes.clone(), live: bytes, ..Platter::default() })))
    }
}

fn io_error() -> io::Error {
    io::Error::from_raw_os_error(5)
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        let platter = self.0.lock().unwrap();
        out.copy_from_slice(platter.live.get(from..from + out.len()).ok_or_else(io_error)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        if platter.next_fault().is_some() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        platter.live.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        if platter.next_fault().is_some() {
            return Err(io_error());
        }
        platter.durable = platter.live.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        let mut platter = self.0.lock().unwrap();
        let fault = platter.next_fault();
        let whole = match fault {
            None => data.len(),
            Some(DiskFault::Torn) => data.len() / 2,
            Some(DiskFault::Full | DiskFault::Once) => 0,
        };
        platter.live[from..from + whole].copy_from_slice(&data[..whole]);
        if fault.is_some() { Err(io_error()) } else { Ok(()) }
    }
}

fn tenant(id: &str, version: u64) -> Tenant {
    let bytes = fs::read(testkit::repository().join("tests/fixtures/tenant-v1.json")).unwrap();
    edited(&Tenant::from_json(&bytes).unwrap(), |document| {
        (document["id"], document["version"]) = (id.into(), version.into());
    })
}

const TENANTS: [&str; 2] = ["contoso", "fabrikam"];
const VERSIONS: u64 = 3;

/// Saves each tenant several times. Returns the last acknowledged version by tenant id, and whether a save failed.
async fn work(disk: &Disk) -> (BTreeMap<String, u64>, bool) {
    let (mut acknowledged, mut refused) = (BTreeMap::new(), false);
    let Ok(db) = Db::on(disk.clone()) else { return (acknowledged, true) };
    let Ok(state) = LocalState::open(db).await else { return (acknowledged, true) };
    let mut seen = BTreeMap::new();
    for version in 1..=VERSIONS {
        for id in TENANTS {
            match state.save(&tenant(id, version), seen.get(id)).await {
                Ok(etag) => {
                    assert!(!refused, "a store that has failed accepts nothing until it is opened again");
                    seen.insert(id, etag);
                    acknowledged.insert(id.to_owned(), version);
                }
                Err(StoreError::Unavailable(_)) => refused = true,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    (acknowledged, refused)
}

/// Asserts that the state contains at least the acknowledged versions, and only complete documents.
async fn holds(bytes: Vec<u8>, acknowledged: &BTreeMap<String, u64>, case: &str) {
    let db = Db::on(Disk::holding(bytes)).unwrap_or_else(|error| panic!("{case}: {error}"));
    let state = LocalState::open(db).await.unwrap_or_else(|error| panic!("{case}: {error}"));
    for (id, version) in acknowledged {
        let found = state.load(&id.parse().unwrap()).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        let found = found.unwrap_or_else(|| panic!("{case}: {id} is lost")).value;
        // A failed save may have been carried out. The product reads the document before it repeats a save.
        assert!((*version..=version + 1).contains(&found.version()), "{case}: {id} is {}", found.version());
        assert_eq!(found, tenant(id, found.version()), "{case}");
    }
}

#[tokio::test]
async fn acknowledged_saves_survive_a_failing_disk() {
    let sound = Disk::default();
    let (acknowledged, refused) = work(&sound).await;
    assert!(!refused && acknowledged.values().all(|version| *version == VERSIONS));
    let changes = sound.0.lock().unwrap().changes;
    assert!(changes > 40, "{changes} changes are too few to fail at");
    let mut failed = 0;
    for fault in [DiskFault::Full, DiskFault::Once, DiskFault::Torn] {
        for at in 1..=changes {
            let disk = Disk::default();
            disk.0.lock().unwrap().fault = Some((at, fault));
            let (acknowledged, refused) = work(&disk).await;
            failed += usize::from(refused);
            let (live, durable) = {
                let platter = disk.0.lock().unwrap();
                (platter.live.clone(), platter.durable.clone())
            };
            if !acknowledged.is_empty() {
                holds(durable, &acknowledged, &format!("{fault:?} at {at}, power lost")).await;
                holds(live, &acknowledged, &format!("{fault:?} at {at}, process lost")).await;
            }
        }
    }
    assert!(failed > changes, "the disk failed in {failed} runs only");
}

/// Reads everything from a possibly damaged file. Returns whether all of it could be read; what is read has to be
/// right.
async fn answers(bytes: Vec<u8>) -> bool {
    let Ok(db) = Db::on(Disk::holding(bytes)) else { return false };
    let Ok(state) = LocalState::open(db).await else { return false };
    let mut well = true;
    for id in TENANTS {
        let loaded = state.load(&id.parse().unwrap()).await;
        if let Ok(Some(found)) = &loaded {
            assert_eq!(
                found.value,
                tenant(id, found.value.version()),
                "another document is read than was written"
            );
        }
        well &= loaded.is_ok_and(|found| found.is_some());
    }
    well &= state.list(None, 10).await.is_ok_and(|all| all.len() == TENANTS.len());
    well & state.due("2100-01-01T00:00:00Z".parse().unwrap(), 10).await.is_ok()
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_nothing_panics() {
    let disk = Disk::default();
    let _saved = work(&disk).await;
    let good = disk.0.lock().unwrap().durable.clone();
    assert!(answers(good.clone()).await);
    let used = good.iter().rposition(|byte| *byte != 0).unwrap();
    let (mut refused, mut panicked) = (0, Vec::new());
    for n in 0..400 {
        let mut bytes = good.clone();
        if n % 8 == 0 {
            bytes.truncate(used * n / 400);
        } else {
            bytes[used * n / 400] ^= 1 << (n % 8);
        }
        match tokio::spawn(answers(bytes)).await {
            Ok(well) => refused += usize::from(!well),
            Err(error) => panicked.push((n, error.to_string())),
        }
    }
    assert!(panicked.is_empty(), "{panicked:?}");
    assert!(refused > 40, "only {refused} damages were noticed");
}

#[tokio::test]
async fn a_failed_disk_is_not_retried_for_each_save() {
    let disk = Disk::default();
    let db = Db::on(disk.clone()).unwrap();
    let state = LocalState::open(db.clone()).await.unwrap();
    state.save(&tenant("contoso", 1), None).await.unwrap();
    {
        let mut platter = disk.0.lock().unwrap();
        platter.fault = Some((platter.changes + 1, DiskFault::Full));
    }
    assert!(matches!(state.save(&tenant("fabrikam", 1), None).await, Err(StoreError::Unavailable(_))));
    let before = disk.0.lock().unwrap().changes;
    for _ in 0..300 {
        assert!(matches!(state.save(&tenant("fabrikam", 1), None).await, Err(StoreError::Unavailable(_))));
    }
    let tried = disk.0.lock().unwrap().changes - before;
    assert!(tried < 50, "the disk was written to {tried} times");
    assert!(state.load(&"contoso".parse().unwrap()).await.unwrap().is_some(), "saved documents can be read");
    let waits = tokio::time::timeout(Duration::from_millis(300), db.usable()).await;
    assert!(waits.is_err(), "a waiter on a failed disk keeps waiting");
}

#[test]
fn a_folder_is_held_by_one_process_and_the_error_names_it() {
    let folder = testkit::folder();
    let path = folder.path().join("deep/.tenantry");
    let held = Folder::hold(&path).unwrap();
    let error = Folder::hold(&path).unwrap_err().to_string();
    assert!(
        error.contains(&format!("process {}", std::process::id())) && error.contains("--data"),
        "{error}"
    );
    drop(held);
    drop(Folder::hold(&path).unwrap());
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(Folder::hold(&folder.path().join("file")), Err(FolderError::Unusable { .. })));
}

#[tokio::test]
async fn the_local_clock_follows_the_wall_clock_forward_and_never_back() {
    let start: Timestamp = "2026-11-30T10:00:00Z".parse().unwrap();
    let shown = Arc::new(Mutex::new(start));
    let wall = Arc::clone(&shown);
    let clock = SteadyClock::over(Arc::new(move || *wall.lock().unwrap()), Timestamp::UNIX_EPOCH);
    assert_eq!(clock.now(), start);
    let hour = Duration::from_secs(3600);
    *shown.lock().unwrap() = start + hour;
    assert_eq!(clock.now(), start + hour);
    *shown.lock().unwrap() = start;
    let (first, second) = (clock.now(), clock.now());
    assert!(first >= start + hour && second >= first, "{first} {second}");
    assert!(second < start + hour + Duration::from_secs(60), "it runs on, and does not jump: {second}");
    // A wait ends on time although the wall clock is an hour behind.
    clock.sleep_until(second + Duration::from_millis(20)).await;
    // The clock of a new process does not start before the last instant of an earlier process.
    let next = SteadyClock::over(Arc::new(|| Timestamp::UNIX_EPOCH), start);
    assert!(next.now() >= start);
}

#[test]
fn files_that_do_not_belong_together_are_detected() {
    let mark = |pair: &str, starts, changes| Some(Mark { pair: pair.to_owned(), starts, changes });
    let held = || Held::from([("contoso".to_owned(), 1)]);
    let nobody = Held::new;
    let cases = [
        ("first start", None, None, false, nobody(), None),
        ("state missing", None, mark("a", 3, 40), false, held(), Some(Misfit::StateMissing)),
        ("state missing, nothing held", None, mark("a", 3, 40), false, nobody(), None),
        ("state missing, files without marks", None, None, false, held(), Some(Misfit::StateMissing)),
        ("files without marks", None, None, true, held(), None),
        ("Azure missing", mark("a", 3, 40), None, true, nobody(), Some(Misfit::AzureMissing)),
        ("Azure missing, no tenants", mark("a", 3, 40), None, false, nobody(), None),
        ("next start", mark("a", 3, 41), mark("a", 3, 40), true, held(), None),
        ("killed between the two", mark("a", 4, 41), mark("a", 3, 40), true, held(), None),
        (
            "copy of an earlier run",
            mark("a", 2, 50),
            mark("a", 3, 40),
            true,
            held(),
            Some(Misfit::StateOlder),
        ),
        ("copy of the same run", mark("a", 3, 39), mark("a", 3, 40), true, held(), Some(Misfit::StateOlder)),
        ("old Azure", mark("a", 6, 90), mark("a", 3, 40), true, held(), Some(Misfit::AzureOlder)),
        ("strangers", mark("b", 3, 41), mark("a", 3, 40), true, held(), Some(Misfit::Strangers)),
    ];
    for (what, state, azure, has_tenants, held, expected) in cases {
        let contents = || Ok::<_, StoreError>(Contents { has_tenants, held });
        assert_eq!(Marks { state, azure }.misfit(contents).unwrap(), expected, "{what}");
    }
}
