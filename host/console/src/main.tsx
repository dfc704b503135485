/** The start of the console. */
import { render } from "preact";
import { App } from "./app";
import { probe } from "./connection";
import { followLanguage } from "./i18n";
import { followAddress } from "./router";
import * as session from "./session";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/ui.css";
import "./styles/frame.css";
import { followTheme } from "./theme";

followTheme();
followLanguage();
// The secret leaves the address before anything else happens.
void session.open();
session.followLinks();
followAddress();
void probe();

const root = document.getElementById("app");
if (root) render(<App />, root);
