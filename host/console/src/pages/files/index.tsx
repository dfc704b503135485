/** The page Files: four collections, each a list of folders and files. */
import { useEffect } from "preact/hooks";
import { href, route } from "../../router";
import { Icon, type IconName } from "../../ui/icon";
import { backups } from "./backups";
import { Browser } from "./browser";
import { sendAtTheEnd } from "./deletion";
import { favorites } from "./favorites";
import "./files.css";
import { type Section, type SectionName, sectionNames } from "./section";
import { storage } from "./storage";
import { temp } from "./temp";
import { text } from "./text";
import { followUploads } from "./upload_tasks";

const sections: Record<SectionName, Section> = { favorites, temp, backups, storage };
const icons: Record<SectionName, IconName> = { favorites: "star", temp: "clock", backups: "archive", storage: "cloud" };

sendAtTheEnd();

export default function Files() {
  const t = text();
  // New rows appear while somebody looks.
  useEffect(() => followUploads(() => {}), []);
  const [first = "", ...path] = route.value.path;
  const name = sectionNames.find((known) => known === first) ?? "favorites";
  return (
    <div class="files-page">
      <nav class="sections" aria-label={t.sectionsLabel}>
        {sectionNames.map((one) => (
          <a key={one} href={href("files", [one])} aria-current={one === name ? "page" : undefined}>
            <Icon name={icons[one]} />
            {t.sections[one]}
          </a>
        ))}
      </nav>
      <Browser key={name} section={sections[name]} path={path} />
    </div>
  );
}
