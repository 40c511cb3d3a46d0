/* SPDX-License-Identifier: GPL-2.0-only */
/* Standing still where the host asked for it before the run (wire/job_area.h). */
#ifndef GUEST_STILL_H
#define GUEST_STILL_H

/* Do nothing more until the machine goes. */
void still_stand(void);

#endif
