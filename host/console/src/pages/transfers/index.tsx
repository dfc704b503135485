import { common } from "../../i18n";

export default function Transfers() {
  return (
    <div class="page">
      <h2>{common().pages.transfers}</h2>
    </div>
  );
}
