/** What becomes of a node in the middle of a transfer, and how it comes back. */
import { ask } from "../../dist/cli/client.js";
import { CABLES } from "../../dist/demo/topology.js";

/** The link to the peers first: a node that loses another one would still tell them so. */
const LINKS = Object.entries(CABLES).reverse();

const setCables = (lab, victim, state) => {
  for (const [cable] of LINKS) lab.setCable(victim, cable, state);
};

const setLinks = (lab, victim, state) => {
  for (const [, name] of LINKS) {
    lab.exec(`node${victim}`, ["ip", "link", "set", name, state]);
  }
};

async function startAgain(lab, victim, restart) {
  await lab.node(victim).ended;
  restart(victim);
}

export const FATES = {
  none: {
    strike() {},
    heal() {},
  },
  SIGKILL: {
    strike: (lab, victim) => lab.node(victim).kill("SIGKILL"),
    heal: startAgain,
  },
  SIGSTOP: {
    strike: (lab, victim) => lab.node(victim).kill("SIGSTOP"),
    heal: (lab, victim) => lab.node(victim).kill("SIGCONT"),
  },
  "no-carrier": {
    strike: (lab, victim) => setCables(lab, victim, "down"),
    heal: (lab, victim) => setCables(lab, victim, "up"),
  },
  "links-down": {
    strike: (lab, victim) => setLinks(lab, victim, "down"),
    heal: (lab, victim) => setLinks(lab, victim, "up"),
  },
  drain: {
    strike: (lab, victim) => ask(lab.node(victim).files.socket, "POST", "/v1/drain"),
    heal: (lab, victim) => ask(lab.node(victim).files.socket, "POST", "/v1/join"),
  },
  SIGTERM: {
    strike: (lab, victim) => lab.node(victim).kill("SIGTERM"),
    heal: startAgain,
  },
};
