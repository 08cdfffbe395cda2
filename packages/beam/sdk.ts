/**
 * The one door to the SDK. Importing this module checks the SDK's version, prepares Node for it, loads it in the order
 * it needs (it has circular imports) and mends it. Every other module of this library imports this one first.
 */
import "./patches/nodeCompat";
import "./requireVersion";
import "apache-beam";
import { installPatches } from "./patches/install";

installPatches();
