//! Which manifests and packs a reader may still be fetching: the last ones, and whatever was the last one a short while ago.

use search::manifest::{Manifest, manifest_path, pack_path};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A reader that began with a manifest has so long to fetch its packs before it must begin again with a newer one.
const GRACE: Duration = Duration::from_secs(30);

/// The publications of one writer, oldest first.
#[derive(Default)]
pub(super) struct Retention {
    kept: VecDeque<Kept>,
    /// How many kept manifests name a pack.
    named: HashMap<String, usize>,
}

struct Kept {
    manifest: String,
    packs: HashSet<String>,
    superseded_at: Option<Instant>,
}

impl Retention {
    /// Notes a publication, which supersedes the one before.
    pub(super) fn published(&mut self, generation: u32, manifest: &Manifest) {
        if let Some(last) = self.kept.back_mut() {
            last.superseded_at = Some(Instant::now());
        }
        let packs: HashSet<Uuid> = manifest.files.iter().map(|file| file.pack).collect();
        let packs: HashSet<String> = packs.into_iter().map(|pack| pack_path(generation, pack)).collect();
        for pack in &packs {
            *self.named.entry(pack.clone()).or_default() += 1;
        }
        let manifest = manifest_path(generation, manifest.seq, manifest.epoch);
        self.kept.push_back(Kept { manifest, packs, superseded_at: None });
    }

    /// Forgets the publications superseded long enough ago; returns the objects that go with them. Manifests come first, so that
    /// none is left that names a deleted pack.
    pub(super) fn superfluous(&mut self) -> Vec<String> {
        let (mut manifests, mut packs) = (Vec::new(), Vec::new());
        while let Some(kept) = self.kept.pop_front_if(|kept| kept.superseded_at.is_some_and(|at| at.elapsed() > GRACE))
        {
            manifests.push(kept.manifest);
            for pack in kept.packs {
                let names = self.named.entry(pack).or_insert(1);
                *names -= 1;
            }
        }
        self.named.retain(|pack, names| {
            if *names == 0 {
                packs.push(pack.clone());
            }
            *names > 0
        });
        manifests.into_iter().chain(packs).collect()
    }
}
