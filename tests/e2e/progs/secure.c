/* SPDX-License-Identifier: MIT */
/*
 * secure [IDS PROGRAM]: without arguments, says by its exit status whether the kernel put it into secure-execution
 * mode: 0 no, 7 yes. With them, executes PROGRAM as IDS says: "real" as the user nobody, "effective" with nobody's
 * effective ids only, "nnp" without new privileges, "same" as it is.
 */
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static int become(const char *ids)
{
	if (!strcmp(ids, "real"))
		return setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY);
	if (!strcmp(ids, "effective"))
		return setresuid(-1, NOBODY, -1);
	if (!strcmp(ids, "nnp"))
		return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return strcmp(ids, "same");
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return getauxval(AT_SECURE) ? 7 : 0;
	if (argc != 3 || become(argv[1]))
		return 1;
	execv(argv[2], argv + 2);
	return 1;
}
