import { common } from "../../i18n";

export default function Files() {
  return (
    <div class="page">
      <h2>{common().pages.files}</h2>
    </div>
  );
}
