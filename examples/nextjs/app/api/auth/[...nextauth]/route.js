// Auth.js's own endpoints.
import { handlers } from "../../../../auth";

export const { GET, POST } = handlers;
