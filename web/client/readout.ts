/** Comes when somebody reaches for a picture of the page, and reads out what it shows. Most visitors never do. */
import { tellChart } from "./charts.ts";
import { tellBars } from "./history.ts";
import { readOut } from "./pictures.ts";

readOut(".bars", tellBars);
readOut(".plot", tellChart);
