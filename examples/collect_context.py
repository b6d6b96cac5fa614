"""Look at the context without keeping anything.

python examples/collect_context.py
"""

import capsula

if __name__ == "__main__":
    fragment = capsula.collect(capsula.load())
    print("facets:", *fragment.facts)
    for effect in fragment.effects:
        print("a capture would:", effect)
    for fault in fragment.faults:
        print("not to be learned:", fault)
