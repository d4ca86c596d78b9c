/* SPDX-License-Identifier: MIT */
#include "tools/wireshim.h"

int verb_demo(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return complain("demo is being written");
}
