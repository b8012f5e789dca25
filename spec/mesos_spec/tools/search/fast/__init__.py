"""The fast search: states packed in machine words, answers looked up in tables by a compiled loop.

layout     which bits of a packed state are which cell
asking     each action and property as a question; its answers in a decision tree
stepping   what an action does in a state
claiming   claims of single steps, as questions about two states
grouping   which questions are looked up together
tables     the trees of the groups, the answers and the effects as arrays
by_numpy   the kernel: expand a stretch of states, add those that are new
by_numba   the same, compiled
store      the states found so far
driver     level by level; what the kernel does not know yet, it asks
two        a second core collects successors ahead
ways       counterexamples, found again without parent pointers
saved      a search on disk, to be resumed
"""
