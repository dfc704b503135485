import { common } from "../../i18n";

export default function Modules() {
  return (
    <div class="page">
      <h2>{common().pages.modules}</h2>
    </div>
  );
}
