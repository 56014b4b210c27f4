/* A library to walk through; its frame has SIZE bytes. */
void through(void (*call)(void *), void *argument);

void through(void (*call)(void *), void *argument)
{
    volatile char room[SIZE];
    room[0] = 1;
    call(argument);
    room[SIZE - 1] = room[0];
}
