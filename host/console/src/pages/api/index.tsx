import { common } from "../../i18n";

export default function Api() {
  return (
    <div class="page">
      <h2>{common().pages.api}</h2>
    </div>
  );
}
