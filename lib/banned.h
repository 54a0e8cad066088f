/*
 * Functions that this project does not call: using one is a compile error.
 * config.h includes this file, so it holds everywhere.
 */

#ifndef LIB_BANNED_H
#define LIB_BANNED_H

/*
 * The system's headers come first: the poison must not reach them.  Some of
 * the names are macros there, depending on compiler and fortification.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strtok
#undef alloca

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atof
#pragma GCC poison system popen alloca

#endif
