/*
 * Functions that this project does not call: using one is a compile error.
 * config.h includes this file, so it holds everywhere.
 */

#ifndef LIB_BANNED_H
#define LIB_BANNED_H

/*
 * Their own headers first, so that the poison does not reach those; alloca is a
 * macro there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atof
#undef alloca
#pragma GCC poison system popen alloca

#endif
