//! Which manifests and packs stay in the store: those a reader may still be fetching, and now and then one to roll back to.

use search::manifest::{Manifest, manifest_path, pack_path};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A reader that began with a manifest has so long to fetch its packs before it must begin again with a newer one.
pub(crate) const GRACE: Duration = Duration::from_secs(30);
/// So often a publication is a point to roll back to, and so long such points are kept.
pub(crate) const POINT_EVERY: Duration = Duration::from_mins(10);
pub(crate) const POINTS_KEPT: Duration = Duration::from_hours(1);

/// The publications of one writer, oldest first.
#[derive(Default)]
pub(super) struct Retention {
    kept: Vec<Kept>,
    /// How many kept manifests name a pack.
    named: HashMap<String, usize>,
    last_point: Option<Instant>,
}

struct Kept {
    manifest: String,
    packs: HashSet<String>,
    superseded_at: Option<Instant>,
    stays: Duration,
}

impl Retention {
    /// Notes a publication, which supersedes the one before.
    pub(super) fn published(&mut self, generation: u32, manifest: &Manifest) {
        if let Some(last) = self.kept.last_mut() {
            last.superseded_at = Some(Instant::now());
        }
        let packs: HashSet<Uuid> = manifest.files.iter().map(|file| file.pack).collect();
        let packs: HashSet<String> = packs.into_iter().map(|pack| pack_path(generation, pack)).collect();
        for pack in &packs {
            *self.named.entry(pack.clone()).or_default() += 1;
        }
        let is_point = self.last_point.is_none_or(|at| at.elapsed() >= POINT_EVERY);
        if is_point {
            self.last_point = Some(Instant::now());
        }
        let manifest = manifest_path(generation, manifest.seq, manifest.epoch);
        let stays = if is_point { POINTS_KEPT } else { GRACE };
        self.kept.push(Kept { manifest, packs, superseded_at: None, stays });
    }

    /// Forgets the publications superseded long enough ago; returns the objects that go with them. Manifests come first, so that
    /// none is left that names a deleted pack.
    pub(super) fn superfluous(&mut self) -> Vec<String> {
        let over = |kept: &mut Kept| kept.superseded_at.is_some_and(|at| at.elapsed() > kept.stays);
        let (mut manifests, mut packs) = (Vec::new(), Vec::new());
        for kept in self.kept.extract_if(.., over) {
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
