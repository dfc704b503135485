/** The page API: every method of the modules that serve, to read about and to try. */
import { common } from "../../i18n";
import { useQuery } from "../../query";
import { route } from "../../router";
import { EmptyState, Loaded } from "../../ui/states";
import "./api.css";
import { loadDescription } from "./load";
import { MethodList } from "./method_list";
import { OperationView } from "./operation_view";
import { text } from "./text";

/** How often the page asks whether modules were swapped, in milliseconds. */
const every = 10_000;

export default function Api() {
  const t = text();
  const query = useQuery(loadDescription, [], { every });
  const [id] = route.value.path;
  return (
    <div class="page api" data-chosen={id !== undefined}>
      <Loaded query={query} lines={8}>
        {(description) => {
          const operation = id === undefined ? undefined : description.operations.get(id);
          return (
            <>
              <MethodList description={description} current={id} onReload={query.reload} />
              <section class="api-main" aria-label={id ?? common().pages.api}>
                {operation ? (
                  <OperationView key={operation.id} operation={operation} />
                ) : id === undefined ? (
                  <EmptyState icon="api" title={description.operations.size > 0 ? t.choose : t.missing}>
                    {t.chooseBody}
                  </EmptyState>
                ) : (
                  <EmptyState icon="warning" title={t.unknown(id)}>
                    {t.unknownBody}
                  </EmptyState>
                )}
              </section>
            </>
          );
        }}
      </Loaded>
    </div>
  );
}
