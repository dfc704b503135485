/** The warnings of the server in the language of the page. Unknown ones stay in English. */
import type { Warning } from "../../admin";
import { language } from "../../i18n";

type Parameters = NonNullable<Warning["parameters"]>;
interface Text {
  message: string;
  action: string;
}

/** By identifier. English needs none: the server writes it. */
const chinese: Record<string, (parameters: Parameters) => Text> = {};

export function translated({ id, message, action, parameters = {} }: Warning): Text {
  const translate = language.value === "zh" ? chinese[id] : undefined;
  return translate?.(parameters) ?? { message, action };
}
