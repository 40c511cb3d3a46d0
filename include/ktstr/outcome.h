/* SPDX-License-Identifier: MIT */
/*
 * Outcomes, from best to worst. They are told apart everywhere: in a checker's decision, in the
 * verdict of a run, in the exit code of `ktstr`.
 */
#ifndef KTSTR_OUTCOME_H
#define KTSTR_OUTCOME_H

#define KTSTR_OUTCOME_NONE                                                                         \
	0u /* not decided: never a result, a checker that leaves it is an ERROR */
#define KTSTR_OUTCOME_PASS 1u	   /* whole evidence, and nothing against it */
#define KTSTR_OUTCOME_SKIP 2u	   /* could not apply here, and says why */
#define KTSTR_OUTCOME_UNDECIDED 3u /* applied, but the evidence does not carry a decision */
#define KTSTR_OUTCOME_FAIL 4u	   /* the scheduler under test did what it must not */
#define KTSTR_OUTCOME_ERROR 5u	   /* the harness, the VM or the checker itself broke */

#endif
