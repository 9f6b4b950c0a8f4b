"""tvsc: compiles the description of a load-balancer site to specialised C and every config file.

Read `tvsc/pipeline.py` first: it lists the stages in the order in which data flows.
"""

__version__ = "0.1.0"
