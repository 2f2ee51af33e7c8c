// @ts-check
/** What the detector says of many texts, for the Python side to compare: `node answers.js SEED COUNT` writes one JSON list. */
import { defang, refang } from "../lib/defang.js";
import { isTrustedTarget, trusting } from "../lib/trust.js";
import { pieces } from "./pieces.js";
import { seeded } from "./seeded.js";

const [seed, count] = process.argv.slice(2).map(Number);
const random = seeded(seed);
const trusted = trusting(["trusted.com"]);
const answers = Array.from({ length: count }, () => {
  const text = pieces(random);
  const done = defang(text, trusted);
  return { text, done, back: refang(done), target: isTrustedTarget(text, trusted) };
});
process.stdout.write(JSON.stringify(answers));
