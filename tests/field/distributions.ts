import { charts } from "./cases/charts.ts";
import { gardener } from "./cases/gardener.ts";
import { gce } from "./cases/gce.ts";
import { hosted } from "./cases/hosted.ts";
import { k0s } from "./cases/k0s.ts";
import { kamaji } from "./cases/kamaji.ts";
import { karmada } from "./cases/karmada.ts";
import { kubermatic } from "./cases/kubermatic.ts";
import { openClusterManagement } from "./cases/open_cluster_management.ts";
import { openshift } from "./cases/openshift.ts";
import { upstream } from "./cases/upstream.ts";
import type { FieldCase } from "./field_case.ts";

/** The whole corpus, in the order of the document. */
export const distributions: readonly FieldCase[] = [
  ...gce,
  ...openshift,
  ...kubermatic,
  ...kamaji,
  ...k0s,
  ...openClusterManagement,
  ...karmada,
  ...gardener,
  ...charts,
  ...upstream,
  ...hosted,
];
