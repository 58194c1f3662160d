// What is shown stands in the address after "#", so that a link shows the same view.
"use strict";
akb.state = {
  read: () => Object.fromEntries(new URLSearchParams(location.hash.slice(1))),
  // changes some values; an empty one goes away. The page is not loaded again.
  write: (changes) => {
    const values = { ...akb.state.read(), ...changes };
    for (const [name, value] of Object.entries(values)) if (value === "" || value === null || value === undefined) delete values[name];
    history.replaceState(null, "", `#${new URLSearchParams(values)}`);
    return values;
  },
};
