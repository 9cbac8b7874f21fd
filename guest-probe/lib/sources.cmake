# The probe library, for every front.
set(probe_library
  lib/clock.c
  lib/measure.c
  lib/probe_hyperv.c
  lib/probe_hyperv_calls.c
  lib/probe_hyperv_synic.c
  lib/probe_hyperv_vp.c
  lib/probe_kvm.c
  lib/probe_run.c
  lib/probe_scan.c
  lib/probe_vmware.c
  lib/probe_xen.c
  lib/probe_xen_console.c
  lib/probe_xen_event.c
  lib/probe_xen_fifo.c
  lib/probe_xen_grant.c
  lib/probe_xen_vcpu.c
  lib/pvclock.c
  lib/report.c
  lib/stats.c
  lib/text.c
  lib/trace.c
  lib/verdict.c)
set(probe_watch lib/report_watch.c lib/watch.c)         # of programs, not of the kernel
