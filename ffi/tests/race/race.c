/* A host with a race in its callback, to see that helgrind finds one there: the counter is not locked. */
#include "../c/check.h"

#include <stdlib.h>

static int counter;

static void count(struct host *host, const remuda_event *event)
{
    (void)host;
    (void)event;
    counter++;
}

int main(void)
{
    struct host *host = host_push_also(NULL, count, NULL);
    remuda_session session = open_session(host, NULL, NULL);
    int before = counter;
    send_text(host, session, "hello", 1);
    wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    before = ++counter - before;
    host_end(host);
    return before <= 0;
}
