//! Foot points of an alert's subjects: a bounded number over all subjects of a message, so that an alert without its
//! picture stays small. Pure; called by `engine` for each event that it reports.

use super::thresholds::paths::*;
use base::event::Subject;
use base::geometry::Point;
use base::track::Track;

/// Returns all foot points of the track, oldest first, rounded to 1/1,000 of the picture.
pub(super) fn path(track: &Track) -> Vec<Point> {
    let rounded = |part: f32| (part * 1000.0).round() / 1000.0;
    let feet = track.path.iter().map(|point| point.foot);
    feet.map(|foot| Point::new(rounded(foot.x), rounded(foot.y))).collect()
}

/// Thins the paths evenly, so that the message stays small. Each keeps its ends; the first subject, which made the rule
/// fire, keeps most.
pub(super) fn thin(subjects: &mut [Subject]) {
    let lengths: Vec<usize> = subjects.iter().map(|subject| subject.path.len()).collect();
    for (subject, share) in subjects.iter_mut().zip(shares(&lengths)) {
        subject.path = evenly(&subject.path, share);
    }
}

/// Returns the number of points that each path of these lengths keeps.
fn shares(lengths: &[usize]) -> Vec<usize> {
    let wanted: Vec<usize> = lengths.iter().map(|length| (*length).min(PATH_POINTS_MAX)).collect();
    let mut shares: Vec<usize> = wanted.iter().map(|wanted| (*wanted).min(ENDS)).collect();
    let lower = POINTS_A_SUBJECT * lengths.len().saturating_sub(1);
    let points_max = MESSAGE_POINTS_MAX.saturating_sub(lower);
    let mut free = points_max.saturating_sub(shares.iter().sum());
    if let (Some(share), Some(wanted)) = (shares.first_mut(), wanted.first()) {
        let more = (wanted - *share).min(free.div_ceil(2));
        *share += more;
        free -= more;
    }
    // The rest goes round, a point to each path in turn.
    while free > 0 && shares != wanted {
        for (share, wanted) in shares.iter_mut().zip(&wanted) {
            let more = usize::from(*share < *wanted && free > 0);
            *share += more;
            free -= more;
        }
    }
    shares
}

/// Returns `count` of these points at even distances, both ends among them.
fn evenly(points: &[Point], count: usize) -> Vec<Point> {
    if count >= points.len() {
        return points.to_vec();
    }
    let last = points.len() - 1;
    let gaps = count.saturating_sub(1).max(1);
    (0..count).filter_map(|index| points.get(index * last / gaps).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_has_its_own_limit_and_many_share_the_messages() {
        assert!(shares(&[]).is_empty());
        assert_eq!(shares(&[5, 1]), [5, 1], "short ones stay whole");
        assert_eq!(shares(&[64]), [32]);
        assert_eq!(shares(&[64, 64]), [28, 10]);
        assert_eq!(shares(&[64, 3, 64]), [24, 3, 9]);
        let group = shares(&[64; 8]);
        assert_eq!((group[0], group[7], group.iter().sum::<usize>()), (8, 2, 26));
        let crowd = shares(&[64; 16]);
        assert!(crowd.iter().all(|share| *share == ENDS), "the ends are always there: {crowd:?}");
    }

    #[test]
    fn a_thinned_path_keeps_its_ends_and_even_distances() {
        let line: Vec<Point> = (0..64).map(|x| Point::new(x as f32, 0.0)).collect();
        for count in 2..=63 {
            let thin = evenly(&line, count);
            assert_eq!((thin.len(), thin.first(), thin.last()), (count, line.first(), line.last()));
            let gaps: Vec<f32> = thin.windows(2).map(|pair| pair[1].x - pair[0].x).collect();
            let (least, most) = gaps.iter().fold((64.0f32, 0.0f32), |(a, b), gap| (a.min(*gap), b.max(*gap)));
            assert!(most - least <= 1.0, "{count}: {gaps:?}");
        }
        assert_eq!(evenly(&line, 64), line);
        assert_eq!(evenly(&line[..1], 1), line[..1]);
    }
}
