/** The public documents besides the live page: they only say moments in the visitor's zone too. */
import { visitorTimes } from "./times.ts";

visitorTimes(Date.now());
