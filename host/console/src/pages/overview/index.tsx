import { common } from "../../i18n";

export default function Overview() {
  return (
    <div class="page">
      <h2>{common().pages.overview}</h2>
    </div>
  );
}
