/* Runs the tests that are named; or those whose names begin with REMUDA_TEST_ONLY, if it is set; or all. `--list` names
 * them. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct test *const tables[] = {contract_tests, control_tests, input_tests,
                                            ending_tests, load_tests, edges_tests};

const char *own_program;

int main(int argc, char **argv)
{
    size_t table;
    size_t run = 0;
    const char *only = getenv("REMUDA_TEST_ONLY");
    own_program = argv[0];
    if (argc == 3 && strcmp(argv[1], "be_killed") == 0) {
        be_killed(atoi(argv[2]));
    }
    if (argc == 3 && strcmp(argv[1], "fork_after_failure") == 0) {
        return fork_after_failure();
    }
    for (table = 0; table < sizeof tables / sizeof *tables; table++) {
        const struct test *test;
        for (test = tables[table]; test->name != NULL; test++) {
            int wanted =
                argc < 2 && (only == NULL || strncmp(test->name, only, strlen(only)) == 0);
            int i;
            for (i = 1; i < argc; i++) {
                wanted |= strcmp(argv[i], test->name) == 0;
            }
            if (argc == 2 && strcmp(argv[1], "--list") == 0) {
                printf("%s\n", test->name);
                run++;
            } else if (wanted) {
                fprintf(stderr, "%s\n", test->name);
                test->run();
                run++;
            }
        }
    }
    return run == 0;
}
