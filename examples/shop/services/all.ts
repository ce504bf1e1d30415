// The services of the shop. Each could run in a process of its own: they meet only in the events.
import { feed } from "./feed.ts";
import { inventory } from "./inventory.ts";
import { notifications } from "./notifications.ts";
import { orders } from "./orders.ts";
import { payments } from "./payments.ts";
import { sales } from "./sales.ts";
import { shipping } from "./shipping.ts";

export const services = [orders, payments, inventory, shipping, notifications, sales, feed];
