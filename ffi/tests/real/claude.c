/* What the agent asks its host, with the real Claude Code: a tool of the host, and permission for a command. What its model
 * says is written in the prompts. */
#define _POSIX_C_SOURCE 200809L
#include "../c/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOOL                                                                                       \
    "\"requests\": \"host\", \"tools\": [{\"name\": \"lookup_ticket\", \"description\": "          \
    "\"Fetches a ticket.\", \"input_schema\": {\"type\": \"object\", \"properties\": "             \
    "{\"id\": {\"type\": \"string\"}}, \"required\": [\"id\"]}}]"

#define CALL_TOOL                                                                                  \
    "MODEL:[{\"tool\":\"mcp__host__lookup_ticket\",\"input\":{\"id\":\"ABC-1\"}},"                 \
    "{\"echo\":\"result\"}]"

/* Answers the n-th question of the session, and sees that the answer arrived. */
static struct seen answer(struct host *host, remuda_session session, size_t n, const char *json)
{
    struct seen asked = wait_for(host, session, REMUDA_EVENT_REQUEST_OPENED, n);
    struct seen done;
    CHECK(asked.event.request != 0);
    GOOD(remuda_session_answer(host->pool, session, asked.event.request, json, 100 + n, &err));
    done = wait_done(host, session, 100 + n);
    CHECK(done.event.status == REMUDA_STATUS_OK && done.event.request == asked.event.request);
    CHECK(wait_for(host, session, REMUDA_EVENT_REQUEST_RESOLVED, n).event.request ==
          asked.event.request);
    return asked;
}

static void a_tool_of_the_host_gives_the_model_its_result(struct host *host)
{
    remuda_session session = open_session(host, TOOL, NULL);
    struct seen asked;
    struct seen end;
    send_text(host, session, CALL_TOOL, 1);
    asked = answer(host, session, 1, "{\"answer\":\"result\",\"text\":\"it is open\"}");
    CHECK(contains(asked.json, "\"kind\":\"host_tool\""));
    CHECK(contains(asked.json, "lookup_ticket"));
    CHECK(contains(asked.json, "\"input\":{\"id\":\"ABC-1\"}"));
    end = wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1);
    CHECK(end.event.tag == 1 && contains(end.text, "it is open"));

    send_text(host, session, CALL_TOOL, 2);
    answer(host, session, 2,
           "{\"answer\":\"result\",\"text\":\"no such ticket\",\"is_error\":true}");
    end = wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 2);
    CHECK(end.event.tag == 2 && contains(end.text, "no such ticket"));
    CHECK(contains(wait_for(host, session, REMUDA_EVENT_TOOL_RESULT, 2).json,
                   "\"is_error\":true"));
    host_end(host);
}

static void in_push_mode(void)
{
    a_tool_of_the_host_gives_the_model_its_result(host_push(NULL));
}

static void in_pull_mode(void)
{
    a_tool_of_the_host_gives_the_model_its_result(host_pull(NULL));
}

static void a_command_runs_if_it_is_allowed_and_not_if_it_is_denied(void)
{
    struct host *host = host_push(NULL);
    remuda_session session = open_session(host, "\"requests\": \"host\"", NULL);
    struct seen asked;
    CHECK(chdir(getenv("REMUDA_TEST_FOLDER")) == 0);
    send_text(host, session, "MODEL:[{\"shell\":\"touch allowed\"},\"done\"]", 1);
    asked = answer(host, session, 1, "{\"answer\":\"allow\"}");
    CHECK(contains(asked.json, "\"kind\":\"command_approval\""));
    CHECK(strcmp(asked.text, "touch allowed") == 0);
    CHECK(strcmp(wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 1).text, "done") == 0);
    CHECK(access("allowed", F_OK) == 0);

    send_text(host, session, "MODEL:[{\"shell\":\"touch denied\"},{\"echo\":\"result\"}]", 2);
    answer(host, session, 2, "{\"answer\":\"deny\",\"message\":\"not today\"}");
    CHECK(contains(wait_for(host, session, REMUDA_EVENT_TURN_COMPLETED, 2).text, "not today"));
    CHECK(access("denied", F_OK) != 0);
    host_end(host);
}

int main(void)
{
    in_push_mode();
    in_pull_mode();
    a_command_runs_if_it_is_allowed_and_not_if_it_is_denied();
    return 0;
}
