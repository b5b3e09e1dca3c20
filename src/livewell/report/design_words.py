"""What each design shows, and what it cannot."""

from collections.abc import Mapping

from livewell.splitting.designs import (
    ALL_LINES,
    DOSES,
    EACH_LINE,
    EXPERIMENT,
    HOURS,
    LEFT_OUT,
    REPEATS,
    WARNING,
    WELLS,
)

SHOWN: Mapping[str, str] = {
    ALL_LINES: "All lines: one model of every line, tested on new groups of the same lines; below"
    " it, what this model is worth on each. It does not say what the model is worth on another"
    " line.",
    EACH_LINE: "Each line: a model of its own for every line. Rows are not compared with one"
    " another fairly where lines differ in dose, in time or in the number of groups.",
    LEFT_OUT: "Each line is left out of training, of validation and of every choice, and tested on."
    " It shows how far what was learnt carries over to these lines; another line may be further"
    " from all of them. A line that was given another dose than the others is tested on both at"
    " once.",
    EXPERIMENT: "Experiments: whole groups that no model has met. That is nearest to what another"
    " day will bring; an experiment of another laboratory, microscope or operator may still differ"
    " more than these do. One experiment alone has no interval.",
    HOURS: "For every full hour after treatment a model of its own learns from frames of that hour"
    " and is tested on them. A rise shows that cells come to differ more; it does not say when a"
    " given cell dies. What differs at hour 0 cannot be the treatment.",
    DOSES: "Every dose is told from none by a model of its own, with the same untreated groups. A"
    " dose that cannot be told from none with these groups is not shown to do nothing.",
    WELLS: "Training sets grow, each within the next, and the test groups stay the same. The number"
    " is of groups that were learnt from or chosen by. A curve that still rises says that more"
    " groups would help; a flat one that more of the same kind would not.",
    REPEATS: "Repeats: the same groups trained and tested with several seeds. They show what"
    " chance in training does, which is little beside what other groups would do.",
    WARNING: "One model learns from frames before death and from survivors; no frame at or after"
    " death is in it. It shows how long before death cells can be told from those that lived on,"
    " seen at the same hours after treatment. It is no forecast for a single cell, and a treatment"
    " that shows at once and kills late looks early here.",
}
"""What each design may and may not show."""
NEVER = "Nothing was chosen on what is tested here."
TITLES = {
    HOURS: "By hour after treatment",
    DOSES: "By dose",
    WELLS: "By number of training groups",
    WARNING: "Early warning: by hours before death",
}
CURVES = {
    HOURS: ("hours after treatment", False),
    DOSES: ("dose", False),
    WELLS: ("{groups} learnt from", True),
}
"""Axis of the designs that are curves, and whether it is logarithmic."""
