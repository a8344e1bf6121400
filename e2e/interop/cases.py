"""Runs cases of a peer: a line for each, at the end `N passed, N failed`."""
import traceback


def verdict(*cases):
    """What the program is to exit with."""
    failed = 0
    for case in cases:
        try:
            case()
            print(f"ok     {case.__name__}")
        except Exception:  # one case must not hide the others
            failed += 1
            print(f"FAILED {case.__name__}")
            traceback.print_exc()
    print(f"{len(cases) - failed} passed, {failed} failed")
    return failed > 0 or not cases
