//! Thresholds of the rules beside those of the configuration, in one table: meaning, unit, origin. The value is the constant's.
//!
//! Units: `part` is a fraction of the thing that is named, `lengths` are the subject's own, `codes` are of luma (0 to 255). Origins:
//! `scenes`: chosen by trial on the staged scenes and clips of the benches, without another source. `reason`: follows from what the
//! line says. `geometry`: follows from the picture or the shapes in it. `bound`: bounds memory, work or messages.

/// Distances.
pub(super) mod distances {
    /// Assumed ratio of picture width to height. Rules see fractions of the picture only; cameras are 16:9, or nearly so. Ratio;
    /// geometry.
    pub const WIDE: f32 = 16.0 / 9.0;
    /// Distance, as a fraction, within which a corner of a zone lies on the picture's edge. Parts of the picture; scenes.
    pub const BORDER: f32 = 0.005;
    /// Maximum pace before one is measured; a motorbike that passes at 30 km/h makes 5. Lengths a second; scenes.
    pub const FIRST_PACE_MAX: f32 = 8.0;
}

/// Lost tracks.
pub(super) mod track_state {
    /// Maximum number of lost tracks that are remembered. Tracks; bound.
    pub const LOST_MAX: usize = 64;
    /// Maximum time for which they are remembered. Seconds; bound.
    pub const LOST_SECONDS_MAX: f32 = 600.0;
}

/// Standing subjects.
pub(super) mod stationary {
    /// Maximum movement of a standing subject, as a part of its length: boxes tremble, and a rider shifts their weight. Lengths;
    /// scenes.
    pub const STIR: f32 = 0.25;
    /// Time out of its place below which a subject has not left: a partly hidden box is another one for a frame or two. Seconds;
    /// scenes.
    pub const SECONDS_AWAY: f32 = 1.2;
    /// Movement from which a subject has left its place at once. Lengths; scenes.
    pub const LENGTHS_AWAY: f32 = 1.0;
}

/// Events.
pub(super) mod engine {
    /// Maximum number of subjects that an event names; more are only counted. Subjects; bound.
    pub const SUBJECTS_MAX: usize = 16;
}

/// Paths in messages.
pub(super) mod paths {
    /// Maximum number of points of one subject's path. Points; bound.
    pub const PATH_POINTS_MAX: usize = 32;
    /// Maximum number of points over all subjects of one message. Points; bound.
    pub const MESSAGE_POINTS_MAX: usize = 40;
    /// Points by which each further subject lowers that maximum: its other fields take room, too. Points; bound.
    pub const POINTS_A_SUBJECT: usize = 2;
    /// Points that each subject keeps: its first and its last one. Points; reason.
    pub const ENDS: usize = 2;
}

/// Incidents.
pub(super) mod incident {
    use std::time::Duration;

    /// Minimum time from the first alert of an incident to the second; each further wait is twice as long, up to the cool-down.
    /// Time; scenes.
    pub const WAIT_FIRST: Duration = Duration::from_secs(5);
    /// Maximum number of members that are remembered; the number of those who took part has no bound. Members; bound.
    pub const MEMBERS_MAX: usize = 256;
    /// Maximum time between a member's last sight and the new track that is the same, its heir. Seconds; scenes.
    pub const HEIR_SECONDS_MAX: f32 = 10.0;
    /// Maximum distance of the heir's first sight from the member's last sight, in lengths. Lengths; scenes.
    pub const HEIR_LENGTHS_MAX: f32 = 1.5;
    /// Maximum ratio of the two sizes, larger or smaller. Ratio; scenes.
    pub const HEIR_GROWTH_MAX: f32 = 1.6;
    /// Distance from the picture's edge within which a last sight means that the subject has left the picture. Parts of the
    /// picture; scenes.
    pub const EDGE: f32 = 0.01;
}

/// Objects that somebody puts down.
pub(super) mod abandoned_object {
    /// Maximum distance of a possible bringer from the object, in the bringer's own lengths. Lengths; scenes.
    pub const BRINGER_LENGTHS: f32 = 1.5;
    /// Maximum time between the bringer's sighting and the object's arrival. Seconds; scenes.
    pub const BRINGER_SECONDS: f32 = 8.0;
    /// Distance at which a visitor has gone away from it, in own lengths. Lengths; scenes.
    pub const GONE_LENGTHS: f32 = 1.5;
    /// Maximum distance of a person who is near it, in own lengths. Lengths; scenes.
    pub const NEAR_LENGTHS: f32 = 1.0;
    /// Factor on vertical distances. The ground is foreshortened: a point above or below on the picture is further away than it
    /// seems. Ratio; scenes.
    pub const FORESHORTENED: f32 = 2.0;
    /// Maximum movement of a person who stays near it, in own lengths. Lengths; scenes.
    pub const STAYING_LENGTHS: f32 = 0.5;
    /// Minimum time of staying; others pass by. Seconds; scenes.
    pub const STAYING_SECONDS: f32 = 3.0;
    /// Time out of view after which it was taken up, if no track is in front of it. Seconds; scenes.
    pub const TAKEN_UP_SECONDS: f32 = 2.0;
    /// Time out of view after which it is given up in any case. Seconds; scenes.
    pub const HIDDEN_SECONDS_MAX: f32 = 60.0;
    /// Minimum part of it that a track must cover to hide it. Part; scenes.
    pub const HIDDEN_PART: f32 = 0.2;
    /// Minimum intersection over union of two boxes of one object. IoU; scenes.
    pub const SAME_PART: f32 = 0.5;
    /// Minimum time that a track has rested for its empty place to stand out as a ghost. Seconds; scenes.
    pub const RESTED_SECONDS: f32 = 5.0;
    /// Maximum time between its leaving and the ghost's coming. Seconds; scenes.
    pub const LEFT_SECONDS_MAX: f32 = 10.0;
    /// Minimum intersection over union with an earlier box of a track that rests. IoU; scenes.
    pub const REST_PART: f32 = 0.6;
    /// Minimum part of a ghost that lies where the track stood. Part; scenes.
    pub const GHOST_PART: f32 = 0.5;
    /// Minimum area of a ghost, as a part of the track's box; cars and large vehicles have no minimum. Part; scenes.
    pub const GHOST_SIZE: f32 = 0.4;
    /// Time for which presences are remembered. Seconds; bound.
    pub const PRESENCE_SECONDS_MAX: f32 = 60.0;
    /// Minimum time between two presences of one track. Seconds; bound.
    pub const PRESENCE_SECONDS_STEP: f32 = 0.8;
    /// Maximum number of presences that are remembered. Presences; bound.
    pub const PRESENCES_MAX: usize = 1024;
    /// Maximum number of tracks at rest that are remembered. Tracks; bound.
    pub const RESTS_MAX: usize = 64;
    /// Maximum number of objects that are remembered. Objects; bound.
    pub const THINGS_MAX: usize = 32;
    /// Maximum number of visitors of an object that are remembered. Visitors; bound.
    pub const VISITORS_MAX: usize = 16;
}

/// Kind `intrusion`.
pub(super) mod intrusion {
    use std::time::Duration;

    /// Time out of the zone up to which a subject has not left it. Time; scenes.
    pub const GAP: Duration = Duration::from_millis(700);
    /// Time without a subject in the zone after which the event is over. Time; scenes.
    pub const QUIET: Duration = Duration::from_secs(3);
}

/// Kind `tripwire`.
pub(super) mod tripwire {
    /// Distance from the line, as a part of the subject's box, within which a foot is on neither side: boxes tremble by some
    /// hundredths of their size from frame to frame. Part; scenes.
    pub const MARGIN: f32 = 0.1;
    /// Maximum distance beyond the line, as a part of the margin, of the first foot of a subject that comes out from behind cover
    /// within the margin. Part; scenes.
    pub const FIRST_BEYOND: f32 = 0.25;
    /// Minimum distance from the line at which such a subject has crossed it. Margins; scenes.
    pub const ARRIVED_MARGINS: f32 = 2.0;
    /// Maximum single step, as a part of that way: a box that grows from half a body to a whole one is no step. Part; scenes.
    pub const STEP_MAX: f32 = 0.7;
}

/// Kind `red_zone_entry`.
pub(super) mod red_zone_entry {
    /// Distance from the zone's edge, as a part of the subject's length, within which a foot is neither inside nor outside.
    /// Lengths; scenes.
    pub const MARGIN: f32 = 0.15;
    /// Movement, in own lengths, that a subject needs to have come in if it came into view inside. A parked one is found anew now
    /// and then, and has not moved. Lengths; scenes.
    pub const LENGTHS_MOVED: f32 = 0.3;
}

/// Kind `wrong_way`.
pub(super) mod wrong_way {
    /// Time out of the zone after which a way through it has ended. Seconds; scenes.
    pub const GAP_SECONDS: f32 = 1.0;
    /// Minimum pace, in own lengths a second; a slower vehicle is pushed, or rolls back. Lengths a second; scenes.
    pub const PACE_MIN: f32 = 0.2;
    /// Minimum way, in picture heights. Boxes of small, far subjects that follow each other closely go over from one to the next
    /// by a few pixels at a time, which are lengths of theirs. Picture heights; scenes.
    pub const WAY_MIN: f32 = 0.12;
    /// Maximum single step of a track's own movement, as a part of its way against the direction. An identity that is handed from
    /// a car to the one behind it goes back in one step, and on with the traffic. Part; scenes.
    pub const STEP_MAX: f32 = 0.7;
    /// Maximum sum of the steps along the direction since the turn, as a part of that way. Part; scenes.
    pub const FORTH_MAX: f32 = 0.3;
}

/// Kind `loitering`.
pub(super) mod loitering {
    /// A subject whose time last counted longer ago than this is no longer known to be there. Seconds; scenes.
    pub const SEEN_SECONDS: f32 = 1.5;
    /// Minimum time that a two-wheeler must have stood to count as parked. Seconds; scenes.
    pub const PARKED_SECONDS: f32 = 5.0;
    /// Maximum time that a parked two-wheeler counts on while it is hidden. Seconds; scenes.
    pub const HIDDEN_SECONDS: f32 = 60.0;
    /// Maximum distance between a lost person and the new track that is the same, in lengths. Lengths; scenes.
    pub const HEIR_LENGTHS: f32 = 1.25;
    /// Maximum time between them. Seconds; scenes.
    pub const HEIR_SECONDS: f32 = 6.0;
    /// Maximum pace at the loss, in lengths a second, of a person who was about to stay: slower than a walk. Faster than this,
    /// the new track may be the next passer-by. Lengths a second; scenes.
    pub const HEIR_PACE: f32 = 0.4;
    /// Maximum distance of a person found in the place of the loss, who may have been hidden for longer: crouched behind a parked
    /// vehicle. Lengths; scenes.
    pub const RISEN_LENGTHS: f32 = 0.3;
    /// Maximum time of such hiding. Seconds; scenes.
    pub const RISEN_SECONDS: f32 = 15.0;
    /// Minimum part of a track's box within a parked two-wheeler for it to be a part of that: some networks see a person in a
    /// saddle and a mirror, for hours. Part; scenes.
    pub const PART: f32 = 0.6;
    /// Movement, in own lengths, from which a track is never taken for a part of a parked two-wheeler. Lengths; scenes.
    pub const LENGTHS_MOVED: f32 = 0.75;
}

/// Kind `crowd`.
pub(super) mod crowd {
    use std::time::Duration;

    /// Maximum time since a track was seen in the zone: detectors miss a person in a crowd now and then. Seconds; scenes.
    pub const SEEN_SECONDS: f32 = 2.0;
    /// Part of the needed count with which a crowd goes on. Part; scenes.
    pub const KEPT_PART: f32 = 0.75;
    /// Time for which it goes on with less. Seconds; scenes.
    pub const LESS_SECONDS: f32 = 2.0;
    /// Minimum part of the needed time for which the count must be reached. Part; scenes.
    pub const FULL_PART: f32 = 0.7;
    /// Time without a crowd after which the event is over. Time; scenes.
    pub const QUIET: Duration = Duration::from_secs(10);
}

/// Kind `stopped_vehicle`.
pub(super) mod stopped_vehicle {
    use std::time::Duration;

    /// Minimum standing time of a vehicle that is part of a jam. Seconds; scenes.
    pub const JAM_SECONDS: f32 = 3.0;
    /// Maximum time by which it stood before the vehicle in question: one that was parked long before is no jam. Seconds; scenes.
    pub const JAM_SECONDS_EARLIER_MAX: f32 = 180.0;
    /// Reach of a jam beyond the zone, in lengths of the vehicle. Lengths; scenes.
    pub const AROUND_LENGTHS: f32 = 4.0;
    /// Maximum distance between a lost standing vehicle and the new track that is the same, in lengths. Lengths; scenes.
    pub const HEIR_LENGTHS: f32 = 0.5;
    /// Maximum time between them. Seconds; scenes.
    pub const HEIR_SECONDS: f32 = 120.0;
    /// Time with nothing standing there after which the event is over. Time; scenes.
    pub const QUIET: Duration = Duration::from_secs(10);
}

/// Kind `speeding_group`.
pub(super) mod speeding_group {
    /// Minimum time of a measurement. In a dense group no rider keeps one identity for long: three steps at 5 pictures a second
    /// are enough. Seconds; reason.
    pub const MEASURED_SECONDS_MIN: f32 = 0.55;
    /// Maximum time of a measurement. Seconds; scenes.
    pub const MEASURED_SECONDS_MAX: f32 = 2.0;
    /// Error of a foot point, as a part of its box's height, up or down. Its distance on the ground is subtracted from the way.
    /// Part; scenes.
    pub const FOOT_ERROR: f32 = 0.08;
    /// Maximum speed. Nothing on a street is as fast: such a track is not one subject. Km/h; reason.
    pub const KMH_MAX: f32 = 200.0;
    /// Maximum angle between two ways of about one direction, in degrees. Degrees; scenes.
    pub const HEADING_DEGREES_MAX: f32 = 45.0;
    /// Maximum time between the loss of a rider and the new track of the same rider. Seconds; scenes.
    pub const SAME_SECONDS: f32 = 1.5;
    /// Maximum distance of that track from the rider's expected place, in metres. Metres; scenes.
    pub const SAME_METRES: f32 = 10.0;
    /// Maximum number of fast riders that are remembered. Riders; bound.
    pub const FAST_MAX: usize = 64;
    /// Maximum number of path points that are kept for the measurement. Points; bound.
    pub const POINTS_MAX: usize = 32;
}

/// Kind `left_behind`.
pub(super) mod left_behind {
    /// Movement, in own lengths, by which a subject has come from elsewhere. Lengths; scenes.
    pub const LENGTHS_MOVED: f32 = 1.0;
    /// A two-wheeler that has not stood for so long moves and is ridden. Seconds; scenes.
    pub const MOVING_SECONDS: f32 = 2.0;
    /// A person who is near for less than this passes by: that time does not count, and the time before does. Seconds; scenes.
    pub const PASSING_SECONDS: f32 = 3.0;
    /// Maximum time that counts between two frames: nothing is known of the time between them. Seconds; scenes.
    pub const STEP_SECONDS_MAX: f32 = 5.0;
    /// A track last seen longer ago than this is not known to be near. Seconds; scenes.
    pub const SEEN_SECONDS: f32 = 2.0;
    /// Maximum distance between a lost standing subject and the new track that is the same, in lengths. Lengths; scenes.
    pub const HEIR_LENGTHS_STANDING: f32 = 0.5;
    /// Maximum time between them. Seconds; scenes.
    pub const HEIR_SECONDS_STANDING: f32 = 600.0;
    /// Maximum distance if it was lost on its way, in lengths, beyond its way at the last pace. Lengths; scenes.
    pub const HEIR_LENGTHS_MOVING: f32 = 1.5;
    /// Maximum time if it was lost on its way. Seconds; scenes.
    pub const HEIR_SECONDS_MOVING: f32 = 3.0;
}

/// Kind `taken_away`.
pub(super) mod taken_away {
    use std::time::Duration;

    /// Distance from its place, in own lengths, at which a subject has left it. Lengths; scenes.
    pub const LENGTHS_AWAY: f32 = 1.0;
    /// Maximum distance from a place of a subject that stands there, in lengths. Lengths; scenes.
    pub const LENGTHS_THERE: f32 = 0.35;
    /// Time for which the place must be in view and empty. Seconds; scenes.
    pub const EMPTY_SECONDS: f32 = 3.0;
    /// Time after which it is unknown what happened. Seconds; scenes.
    pub const PENDING_SECONDS_MAX: f32 = 60.0;
    /// Maximum time of a leaving. A subject that takes longer was shifted, and stands elsewhere now. Seconds; scenes.
    pub const LEAVING_SECONDS_MAX: f32 = 20.0;
    /// Minimum part of the box that was there which another, nearer box must cover to hide the place. Part; scenes.
    pub const HIDDEN_PART: f32 = 0.3;
    /// A track last seen longer ago than this is not known to hide anything. Seconds; scenes.
    pub const SEEN_SECONDS: f32 = 2.0;
    /// Time for which a track must stand in the place of a lost one to be that one, found again. Seconds; scenes.
    pub const FOUND_SECONDS: f32 = 2.0;
    /// Minimum time for which a neighbour has stood when the subject leaves. Time; scenes.
    pub const NEIGHBOUR: Duration = Duration::from_secs(2);
    /// Maximum distance, in lengths, between a lost subject's place and the beginning of its starter: a new track that is the
    /// subject itself. A starter must be slow over the same distance. Lengths; scenes.
    pub const STARTER_LENGTHS: f32 = 0.7;
    /// Maximum time by which it may begin before the last sight in that place. Seconds; scenes.
    pub const STARTER_SECONDS_BEFORE: f32 = 1.0;
    /// Maximum time after that sight. Seconds; scenes.
    pub const STARTER_SECONDS_AFTER: f32 = 4.0;
    /// Maximum pace of a starter at first, in lengths a second. Lengths a second; scenes.
    pub const STARTER_PACE_MAX: f32 = 1.25;
    /// Distance at which a starter got away, in lengths. Lengths; scenes.
    pub const STARTER_LENGTHS_AWAY: f32 = 1.5;
    /// Maximum number of leavings, starters and lost tracks that are remembered. Of each; bound.
    pub const REMEMBERED_MAX: usize = 32;
    /// Time for which starters are remembered. Seconds; bound.
    pub const STARTER_SECONDS_MAX: f32 = 60.0;
}

/// Kind `camera_sabotage`.
pub(super) mod camera_sabotage {
    use std::time::Duration;

    /// Minimum time of learning before the picture is compared with it. Seconds; scenes.
    pub const LEARNT_SECONDS_MIN: f32 = 12.0;
    /// Part of the learnt edges in place from which on all is well. Part; scenes.
    pub const IN_PLACE_WELL: f32 = 0.55;
    /// Part in place below which something is wrong. Part; scenes.
    pub const IN_PLACE_WRONG: f32 = 0.2;
    /// Part in place below which it stays wrong. Part; scenes.
    pub const IN_PLACE_STILL_WRONG: f32 = 0.4;
    /// Limits of blunt edges: part of the learnt strength, part in place; the picture is wrong below both. Out of focus, the
    /// strongest edges still are about where they were, while the lorry that stops in front has sharp edges of its own. Parts;
    /// scenes.
    pub const BLUNT_WRONG: (f32, f32) = (0.5, 0.42);
    /// The same once something is wrong. Parts; scenes.
    pub const BLUNT_STILL_WRONG: (f32, f32) = (0.6, 0.5);
    /// Maximum time from well to wrong of a deliberate act; slower changes are dusk, fog or dirt. Seconds; scenes.
    pub const SUDDEN_SECONDS: f32 = 20.0;
    /// Minimum sharpness, as a part of the learnt energy, with which the camera has been moved; with less, it sees nothing sharp.
    /// Part; scenes.
    pub const SHARPNESS_MOVED: f32 = 0.5;
    /// Minimum contrast, as a part of the earlier one, of a picture without sharp edges that is out of focus; with less, it is
    /// covered. Part; scenes.
    pub const CONTRAST_DEFOCUSED: f32 = 0.5;
    /// Maximum brightness of a black picture. Codes; scenes.
    pub const BLACK_MEAN: f32 = 24.0;
    /// Maximum contrast of a black picture. Codes; scenes.
    pub const BLACK_DEVIATION: f32 = 8.0;
    /// Minimum number of samples that say so: inferences may be rare. Samples; scenes.
    pub const SAMPLES_MIN: u32 = 4;
    /// Time without a fault after which the event is over. Time; scenes.
    pub const QUIET: Duration = Duration::from_secs(5);
}
