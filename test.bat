@echo off
rem Runs the tests; the first time it makes the environment in .venv. Arguments go to pytest (try -k images);
rem without any, all tests run, in a process for each core.
setlocal EnableExtensions
call "%~dp0run.bat" --prepare-only dev || exit /b 1
cd /d "%~dp0"
set "chosen=%*"
if not defined chosen set "chosen=-n logical --dist worksteal"
".venv\Scripts\python.exe" -m pytest %chosen%
exit /b %ERRORLEVEL%
