"""Models of offers: made, answered, withdrawn, refused, and answered too late."""

from __future__ import annotations

from mesos_spec.allocation import fair_offer, the_first_gets_all, the_poorest_is_served
from mesos_spec.bounds import Program
from mesos_spec.kernel import Table
from mesos_spec.kernel.model import Counts
from mesos_spec.messages import FrameworkInfo
from mesos_spec.models import witnesses as seen
from mesos_spec.models.cases import A1, A2, F1, F2, F3, S1, S2, S3, cluster, cpus, model, task, user
from mesos_spec.models.settings import CLUSTER, agent_up, subscribed

OFFERED = model(
    "offers",
    "An offer is rescinded while it is accepted, declined, or claimed by another.",
    "offer rescind call lose_agent",
    cluster(
        portions=(cpus(1), cpus(3)),
        schedulers=Table(
            {
                S1: user("decline", "steal"),
                S2: user("decline now", of=F2, tasks=(task(of=F2),)),
            }
        ),
        frameworks=(F1, F2),
    ),
    Counts(states=2459, steps=6984, depth=24, cut=76),
    script=(*CLUSTER, *subscribed("s2")),
    prompt="down",
    sometimes=(seen.an_offer_is_rescinded, seen.an_offer_is_accepted_after_it_ended),
)

FILTERED = model(
    "filters",
    "What a framework refuses is not offered to it; it may want nothing, and want again.",
    "offer rescind call forget_filter",
    cluster(
        schedulers=Table(
            {
                S1: Program(
                    F1,
                    FrameworkInfo(("q", "r"), partition_aware=True),
                    tasks=(task(),),
                    suppressed=("q",),
                    calls=frozenset(
                        {
                            *("decline", "decline now", "accept nothing", "revive", "suppress"),
                            *("revive other", "suppress other", "revive one"),
                        }
                    ),
                )
            }
        ),
        portions=(cpus(1), cpus(3)),
        offers=2,
    ),
    Counts(states=3810, steps=7523, depth=25),
    script=CLUSTER,
    prompt="calls events",
    sometimes=(seen.two_filters_stand, seen.two_offers_of_an_agent_stand),
)

ACCEPTED = model(
    "accepts",
    "Several tasks on several offers: some fit, some do not, some share an executor.",
    "offer call",
    cluster(
        agents=Table({A1: cpus(4)}),
        schedulers=Table(
            {
                S1: user(
                    *("accept all", "accept twice"),
                    tasks=(
                        task("t1", executor="e", executor_resources=cpus(1)),
                        task("t2", executor="e", executor_resources=cpus(2)),
                        task("t3", executor="e", executor_resources=cpus(1)),
                        task("t4", 3),
                        task("t5", flaw="REASON_TASK_GROUP_INVALID"),
                        task("t6", agent=A2),
                    ),
                )
            }
        ),
        portions=(cpus(2),),
        offers=2,
    ),
    Counts(states=770, steps=1083, depth=18),
    script=CLUSTER,
    prompt="calls events down",
    sometimes=(seen.two_offers_of_an_agent_stand,),
)

SPOILT = model(
    "together",
    "Offers are accepted together that may not be: of two agents, in two roles, twice, or ended.",
    "offer rescind call",
    cluster(
        agents=Table({A1: cpus(2), A2: cpus(1)}),
        schedulers=Table(
            {
                S1: Program(
                    F1,
                    FrameworkInfo(("q", "r"), partition_aware=True),
                    tasks=(task(n=2),),
                    calls=frozenset({"accept all", "accept doubled"}),
                )
            }
        ),
        portions=(cpus(1),),
        offers=2,
    ),
    Counts(states=2237, steps=3997, depth=18),
    script=(*CLUSTER, *agent_up("a2")),
    prompt="down events",
    room=1,
    sometimes=(
        seen.offers_of_two_agents_are_accepted,
        seen.offers_in_two_roles_are_accepted,
        seen.an_offer_is_accepted_twice,
        seen.a_good_offer_goes_with_an_ended_one,
        seen.two_offers_are_accepted_together,
    ),
)

LATE = model(
    "late-answers",
    "What is said of offers arrives after its stream was lost, and perhaps replaced.",
    "call lose_framework lose_stream ask_to_subscribe",
    cluster(
        schedulers=Table(
            {S1: user("decline", "accept nothing", "revive", "suppress", "tear down", "other")}
        ),
        lines=2,
    ),
    Counts(states=2858, steps=10258, depth=20),
    script=(*CLUSTER, ("offer", {}), ("hear_offers", {})),
    prompt="events down up",
)

FAIRNESS = (the_poorest_is_served, the_first_gets_all)

FIGURE_3 = model(
    "figure-3",
    "The paper's worked example: two tasks on four processors and four gigabytes, and the rest.",
    "call",
    cluster(
        agents=Table({A1: cpus(4, 4)}),
        schedulers=Table(
            {
                S1: user("accept all", tasks=(task("t1", 2, mem_mb=1), task("t2", 1, mem_mb=2))),
                S2: user("decline", of=F2, tasks=()),
            }
        ),
        frameworks=(F1, F2),
    ),
    Counts(states=27, steps=26, depth=12),
    script=(*CLUSTER, *subscribed("s2")),
    prompt="calls events down up",
    own=(fair_offer,),
    claims=FAIRNESS,
    sometimes=(seen.the_rest_goes_to_the_next,),
)

FAIR = model(
    "fairness",
    "Three frameworks in two roles share two agents; whoever has least is offered next.",
    "call",
    cluster(
        agents=Table({A1: cpus(2, 3), A2: cpus(1, 3)}),
        schedulers=Table(
            {
                S1: user("decline now", tasks=(task("t1", mem_mb=2), task("t2", mem_mb=1))),
                S2: user("decline", of=F2, tasks=(task(of=F2),)),
                S3: user(of=F3, role="q", tasks=(task(of=F3),)),
            }
        ),
        frameworks=(F1, F2, F3),
    ),
    Counts(states=245, steps=289, depth=20),
    script=(*CLUSTER, *agent_up("a2"), *subscribed("s2"), *subscribed("s3")),
    prompt="calls events down up",
    own=(fair_offer,),
    claims=FAIRNESS,
)

FAIR_LONG = model(
    "fairness-over-time",
    "The same, while tasks end and what was refused is not offered again.",
    "call executor_subscribes executor_updates ack",
    cluster(
        agents=Table({A1: cpus(2, 3), A2: cpus(1, 3)}),
        schedulers=Table(
            {
                S1: user("decline now", tasks=(task(mem_mb=2),)),
                S2: user("decline", of=F2, tasks=(task(of=F2),)),
                S3: user(of=F3, role="q", tasks=(task(of=F3),)),
            }
        ),
        frameworks=(F1, F2, F3),
    ),
    Counts(states=106228, steps=205637, depth=58),
    script=(*CLUSTER, *agent_up("a2"), *subscribed("s2"), *subscribed("s3")),
    prompt="calls events down up",
    sometimes=(seen.a_task_is_done_with,),
    own=(fair_offer,),
    claims=FAIRNESS,
)

MODELS = (FIGURE_3, FAIR, FAIR_LONG, OFFERED, FILTERED, ACCEPTED, SPOILT, LATE)
