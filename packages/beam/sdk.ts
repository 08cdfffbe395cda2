/**
 * The only module through which this library loads the SDK. It checks the versions of the SDK and of the packages that it
 * shares with it, prepares Node, loads the SDK in the order that its circular imports need, and installs the patches.
 * Every other module of this library imports this one first.
 */
import "./patches/nodeCompat";
import "./requireSdk";
import "apache-beam";
import { installPatches } from "./patches/install";

installPatches();
