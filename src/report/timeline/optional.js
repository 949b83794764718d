// Parts of the page that few runs have: their scripts, which other pages do not contain, add them to this list.

/** Functions that get the run, before anything is drawn. */
export const OPTIONAL = [];
