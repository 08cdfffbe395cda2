import { eventAvroDefinition } from "@eventlogger/events/avroSchema";
import { warehouseFile } from "./warehouse";

/**
 * The files of `deploy/` that are made from the code, so that Terraform creates what `setup` creates: text by path, relative to the root
 * of the repository.
 * @throws Error that names a view that the Terraform module cannot create
 */
export function deployFiles(): Readonly<Record<string, string>> {
  return {
    "deploy/terraform/event.avsc": eventAvroDefinition,
    "deploy/terraform/warehouse.json": `${JSON.stringify(warehouseFile(), null, 2)}\n`,
  };
}
