/** Loaded before upstream's tests on the direct runner. */
import "../../index";
