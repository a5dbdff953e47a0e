// The views: their names are the paths of their addresses (app.py has them too), their code is loaded when they are opened.
import type { ComponentType } from "preact";
import type { State } from "./address";

export type View = ComponentType<{ state: State }>;

export const views: Record<string, () => Promise<{ default: View }>> = {
  overview: () => import("./views/overview"),
  search: () => import("./views/search"),
  post: () => import("./views/post"),
  account: () => import("./views/account"),
  collections: () => import("./views/collections"),
  sql: () => import("./views/sql"),
};
