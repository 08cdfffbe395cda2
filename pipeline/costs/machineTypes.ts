/** What a worker machine has. */
export interface Machine {
  readonly vcpus: number;
  /** GB, as machine types are described. */
  readonly memoryGb: number;
}

/** GB of memory for each vCPU, by family and kind (https://cloud.google.com/compute/docs/machine-resource). */
const GB_PER_VCPU: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  n1: { standard: 3.75, highmem: 6.5, highcpu: 0.9 },
  n2: { standard: 4, highmem: 8, highcpu: 1 },
  n2d: { standard: 4, highmem: 8, highcpu: 1 },
  n4: { standard: 4, highmem: 8, highcpu: 2 },
  e2: { standard: 4, highmem: 8, highcpu: 1 },
  c3: { standard: 4, highmem: 8, highcpu: 2 },
  c4a: { standard: 4, highmem: 8, highcpu: 2 },
  t2d: { standard: 4 },
  t2a: { standard: 4 },
};

/** What a machine type such as `n2-standard-4` has; undefined for a type that is not known here. */
export function machineOf(type: string): Machine | undefined {
  const [, family = "", kind = "", count = ""] = /^([a-z]\w*)-(standard|highmem|highcpu)-(\d+)$/.exec(type) ?? [];
  const perVcpu = GB_PER_VCPU[family]?.[kind];
  if (perVcpu === undefined) return undefined;
  const vcpus = Number(count);
  return { vcpus, memoryGb: vcpus * perVcpu };
}
