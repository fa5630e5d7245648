/* A client of hotlined in C on jansson (libjansson-dev): copy what stands above the examples.
 *
 *     cc -o hotline hotline.c -ljansson
 *     hotline ask|stream|tools|parallel|cancel [TEXT...]
 *
 * Without TEXT the question is standard input. README.md has the exit status. */
#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A connection with any number of requests side by side. An answer is an object of what has come:
 * id, text, response, error, and the outcome when it is over. */
struct hotline {
    int descriptor, made;
    bool is_finished;
    char *in, *out;                 /* In: bytes that were read; out: bytes to be written. */
    size_t in_size, in_length, used, out_length;
    json_t *open;                   /* Answers that are not over, by id. */
};

/* A part of objects in each other, NULL if there is none. */
static json_t *part(json_t *value, const char *name, const char *inner)
{
    value = json_object_get(value, name);
    return inner ? json_object_get(value, inner) : value;
}

static const char *text_of(json_t *value, const char *name)
{
    const char *text = json_string_value(json_object_get(value, name));
    return text ? text : "";
}

static _Noreturn void give_up(const char *what, const char *why)
{
    fflush(stdout);
    fprintf(stderr, "hotline: %s%s\n", what, why);
    exit(69);
}

static void hotline_connect(struct hotline *hotline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = getenv("HOTLINE_SOCKET"), *directory = getenv("XDG_RUNTIME_DIR"), *what;
    if ((!path || !*path) && (!directory || !*directory))
        give_up("cannot reach hotlined: ", "set HOTLINE_SOCKET or XDG_RUNTIME_DIR");
    if ((!path || !*path) && asprintf(&path, "%s/hotline.sock", directory) < 0) abort();
    if (asprintf(&what, "cannot reach hotlined at %s: ", path) < 0) abort();
    if (strlen(path) >= sizeof address.sun_path) give_up(what, strerror(ENAMETOOLONG));
    strcpy(address.sun_path, path);
    *hotline = (struct hotline){.descriptor = socket(AF_UNIX, SOCK_STREAM, 0),
                                .in = malloc(1 << 18), .in_size = 1 << 18, .open = json_object()};
    if (connect(hotline->descriptor, (struct sockaddr *)&address, sizeof address))
        give_up(what, strerror(errno));
}

/* Writes what the socket takes; the rest goes while lines are read, because the daemon may wait
 * for us to read. */
static void hotline_write(struct hotline *hotline)
{
    while (hotline->out_length) {
        ssize_t count = send(hotline->descriptor, hotline->out, hotline->out_length,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) return;
        if (count < 0) count = hotline->out_length; /* Closed; what was said is still to be read. */
        memmove(hotline->out, hotline->out + count, hotline->out_length -= count);
    }
    if (hotline->is_finished) shutdown(hotline->descriptor, SHUT_WR);
}

static void hotline_send(struct hotline *hotline, json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    size_t length = strlen(text);
    hotline->out = realloc(hotline->out, hotline->out_length + length + 1);
    if (!hotline->out) abort();
    memcpy(hotline->out + hotline->out_length, text, length);
    hotline->out[hotline->out_length + length] = '\n';
    hotline->out_length += length + 1;
    free(text);
    json_decref(line);
    hotline_write(hotline);
}

/* Sends a request and returns its answer to come. The options are those of "hotline"; takes both
 * references. */
static json_t *hotline_request(struct hotline *hotline, json_t *response, json_t *options)
{
    char id[16];
    snprintf(id, sizeof id, "q%d", ++hotline->made);
    json_t *answer = json_pack("{s:s, s:s}", "id", id, "text", "");
    json_object_set(hotline->open, id, answer);
    hotline_send(hotline, json_pack("{s:s, s:s, s:o, s:o}", "type", "response.create", "request_id",
                                    id, "hotline", options, "response", response));
    return answer;
}

static void hotline_cancel(struct hotline *hotline, json_t *answer)
{
    hotline_send(hotline, json_pack("{s:s, s:O}", "type", "response.cancel", "request_id",
                                    part(answer, "id", NULL)));
}

/* Says that no more requests come: the daemon closes after the last answer. */
static void hotline_finish(struct hotline *hotline)
{
    hotline->is_finished = true;
    hotline_write(hotline);
}

static void add_text(json_t *answer, json_t *more)
{
    const char *text = text_of(answer, "text");
    if (more) json_object_set_new(answer, "text", json_sprintf("%s%s", text, json_string_value(more)));
}

static void take(json_t *answer, json_t *line)
{
    const char *type = text_of(line, "type");
    json_t *item, *piece;
    size_t i, j;
    if (!strcmp(type, "response.output_text.delta")) {
        add_text(answer, part(line, "delta", NULL));
    } else if (!strcmp(type, "response.completed") || !strcmp(type, "response.incomplete")
               || !strcmp(type, "response.failed")) {
        json_object_set(answer, "response", part(line, "response", NULL));
        if (!*text_of(answer, "text"))
            json_array_foreach(part(line, "response", "output"), i, item)
                json_array_foreach(part(item, "content", NULL), j, piece)
                    add_text(answer, part(piece, "text", NULL));
    } else if (!strcmp(type, "error")) {
        json_object_set(answer, "error", line);
        /* Refused: nothing follows. After every other error a hotline.done does. */
        if (json_is_false(part(line, "hotline", "accepted")))
            json_object_set_new(answer, "outcome", json_string("error"));
    } else if (!strcmp(type, "hotline.done")) {
        json_object_set(answer, "outcome", part(line, "outcome", NULL));
    }
}

/* Waits for one line and returns it without its LF, which is good until the next call. */
static char *next_line(struct hotline *hotline, size_t *length)
{
    size_t searched = 0;
    memmove(hotline->in, hotline->in + hotline->used, hotline->in_length -= hotline->used);
    for (hotline->used = 0;;) {
        char *end = memchr(hotline->in + searched, '\n', hotline->in_length - searched);
        if (end) {
            hotline->used = end + 1 - hotline->in;
            *length = end - hotline->in;
            return hotline->in;
        }
        searched = hotline->in_length;
        if (hotline->in_size < hotline->in_length + (1 << 16)) {
            hotline->in = realloc(hotline->in, hotline->in_size = 2 * hotline->in_size);
            if (!hotline->in) abort();
        }
        struct pollfd slot = {hotline->descriptor, POLLIN | (hotline->out_length ? POLLOUT : 0), 0};
        poll(&slot, 1, -1);
        if (slot.revents & POLLOUT) hotline_write(hotline);
        ssize_t count = recv(hotline->descriptor, hotline->in + hotline->in_length,
                             hotline->in_size - hotline->in_length, MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
            give_up("hotlined closed the connection before the last line", "");
        if (count > 0) hotline->in_length += count;
    }
}

/* Waits for the next line of a request, which its answer takes. The caller's to json_decref. */
static json_t *hotline_read(struct hotline *hotline)
{
    for (;;) {
        size_t length;
        char *text = next_line(hotline, &length);
        json_t *line = json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
        const char *id = text_of(line, "request_id");
        json_t *answer = part(hotline->open, id, NULL);
        if (answer) {
            take(answer, line);
            if (part(answer, "outcome", NULL)) json_object_del(hotline->open, id);
            return line;
        }
        if (!strcmp(text_of(line, "type"), "error") && json_is_null(part(line, "request_id", NULL)))
            give_up("refused by hotlined: ", text_of(part(line, "error", NULL), "message"));
        json_decref(line);
    }
}

static const char *hotline_wait(struct hotline *hotline, json_t *answer)
{
    while (!part(answer, "outcome", NULL)) json_decref(hotline_read(hotline));
    return text_of(answer, "text");
}

/* The exit status that tells an answer's outcome. */
static int status_of(json_t *answer)
{
    const char *outcome = text_of(answer, "outcome");
    if (!strcmp(outcome, "completed")) return 0;
    if (!strcmp(outcome, "incomplete")) return 3;
    if (!strcmp(outcome, "cancelled")) return 130;
    return json_is_true(part(part(answer, "error", NULL), "hotline", "retryable")) ? 75 : 1;
}

/* Examples: each adds the answers that decide about the exit status. */

#define MODEL "gpt-5.3-codex"

/* One request, and no event but the last. */
static void ask(struct hotline *hotline, const char *text, json_t *answers)
{
    json_t *answer = hotline_request(hotline, json_pack("{s:s, s:s}", "model", MODEL, "input", text),
                                     json_pack("{s:s}", "events", "final"));
    hotline_finish(hotline);
    puts(hotline_wait(hotline, answer));
    json_array_append(answers, answer);
}

/* The text as it comes, cancelled after so many deltas. */
static void stream(struct hotline *hotline, const char *text, int deltas_max, json_t *answers)
{
    json_t *answer = hotline_request(hotline, json_pack("{s:s, s:s}", "model", MODEL, "input", text),
                                     json_object());
    while (!part(answer, "outcome", NULL)) {
        json_t *line = hotline_read(hotline), *delta = part(line, "delta", NULL);
        if (!strcmp(text_of(line, "type"), "response.output_text.delta")) {
            fwrite(json_string_value(delta), 1, json_string_length(delta), stdout);
            fflush(stdout);
            if (--deltas_max == 0) hotline_cancel(hotline, answer); /* hotline.done still comes. */
        }
        json_decref(line);
    }
    putchar('\n');
    json_array_append(answers, answer);
}

/* The model calls a function; the result goes back with the whole conversation. */
static void tools(struct hotline *hotline, const char *text, json_t *answers)
{
    json_t *input = json_pack("[{s:s, s:s}]", "role", "user", "content", text), *answer, *item;
    json_t *tool = json_pack("{s:s, s:s, s:{s:s, s:{s:{s:s}}}}", "type", "function", "name",
                             "count_words", "parameters", "type", "object", "properties", "answer",
                             "type", "string");
    json_t *response = json_pack("{s:s, s:[o], s:O}", "model", MODEL, "tools", tool, "input", input);
    size_t index;
    hotline_wait(hotline, answer = hotline_request(hotline, json_incref(response), json_object()));
    json_array_foreach(part(answer, "response", "output"), index, item) {
        if (strcmp(text_of(item, "type"), "function_call")) continue;
        json_t *arguments = json_loads(text_of(item, "arguments"), 0, NULL);
        char *words = strdup(text_of(arguments, "answer"));
        int count = 0;
        for (char *word = strtok(words, " \n\t"); word; word = strtok(NULL, " \n\t")) count++;
        json_object_del(item, "id"); /* The server has not stored it. */
        json_array_append(input, item);
        json_array_append_new(input, json_pack("{s:s, s:O, s:o}", "type", "function_call_output",
                                               "call_id", part(item, "call_id", NULL), "output",
                                               json_sprintf("%d words", count)));
        free(words);
        json_decref(arguments);
    }
    if (json_array_size(input) > 1)
        hotline_wait(hotline, answer = hotline_request(hotline, response, json_object()));
    puts(text_of(answer, "text"));
    json_array_append(answers, answer);
}

/* Ten requests on one connection, whose events come in any order. */
static void parallel(struct hotline *hotline, const char *text, json_t *answers)
{
    for (int number = 1; number <= 10; number++) {
        json_t *question = json_sprintf("%s %d", text, number);
        json_t *response = json_pack("{s:s, s:o}", "model", MODEL, "input", question);
        json_array_append_new(answers, hotline_request(hotline, response, json_object()));
    }
    for (int number = 1; number <= 10; number++)
        printf("%d: %s\n", number, hotline_wait(hotline, json_array_get(answers, number - 1)));
}

/* The words joined by spaces; without any, standard input. */
static char *read_text(char **words)
{
    char *text = NULL;
    size_t size = 0;
    if (!*words) {
        if (getdelim(&text, &size, '\0', stdin) < 0) text = strdup("");
        return text;
    }
    FILE *joined = open_memstream(&text, &size);
    for (char **word = words; *word; word++) fprintf(joined, word > words ? " %s" : "%s", *word);
    fclose(joined);
    return text;
}

int main(int count, char **words)
{
    const char *name = count > 1 ? words[1] : "";
    if (!*name || !strstr(" ask stream tools parallel cancel ", name)) {
        fputs("usage: hotline ask|stream|tools|parallel|cancel [TEXT...]\n", stderr);
        return 2;
    }
    char *text = read_text(words + 2);
    struct hotline hotline;
    hotline_connect(&hotline);
    json_t *answers = json_array(), *answer;
    switch (*name) {
    case 'a': ask(&hotline, text, answers); break;
    case 's': stream(&hotline, text, 0, answers); break;
    case 't': tools(&hotline, text, answers); break;
    case 'p': parallel(&hotline, text, answers); break;
    case 'c': stream(&hotline, text, 3, answers); break;
    }
    int worst = 0;
    size_t index;
    json_array_foreach(answers, index, answer) {
        json_t *error = part(answer, "error", NULL), *inner = part(error, "error", NULL);
        if (!error) inner = part(answer, "response", "error");
        int status = status_of(answer);
        const char *message = text_of(inner ? inner : error, "message");
        if (status) fprintf(stderr, "hotline: %s%s%s\n", text_of(answer, "outcome"),
                            *message ? ": " : "", message);
        if (status > worst) worst = status;
    }
    return worst;
}
