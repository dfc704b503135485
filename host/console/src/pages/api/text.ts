import { texts } from "../../i18n";

const en = {};

const zh: typeof en = {};

export const text = texts({ en, zh });
