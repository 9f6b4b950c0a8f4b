"""The whole site on one machine: namespaces, real BIRD, real dataplanes, real HTTP.

Read in this order:

    topology.py    site -> what is to exist: namespaces, links, addresses (pure)
    requirement.py what the machine must offer, and what it does not
    namespace.py   network namespaces         process.py   child processes
    switch.py      the upstream switch        ecmp.py      its consistent hashing
    node.py        a load balancer            server.py    a real server
    state.py       what a lab left where, so that `down` finds all of it
    supervisor.py  the process that holds a lab together; remote.py asks it for things
    client.py      fetches through the VIPs   tvsd.py      reads a daemon's counters
    spread.py      who took how much          drill.py     what breaks, and for how long
    session.py     up, run and down           report.py, render.py: what they say

Nothing is ever made in the namespace of the machine itself: every link has both its ends inside
the lab, so removing the namespaces removes the links, addresses and routes with them.
"""
