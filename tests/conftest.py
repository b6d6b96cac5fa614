"""The tests run alike wherever they are started, in the background of a script too: keys are ignored there."""

import os
import signal

# A program that is edited within a second of its last run is taken for the one that was run.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)
